package secret

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// mostSpelled is the length, in bytes, of the longest value that is also looked for
// spelled: these forms are several times as long.
const mostSpelled = 512

// spelled lists how v looks where every byte of it is written as a number, and
// where it was encoded twice.
func spelled(v string) (all []string) {
	if len(v) > mostSpelled {
		return nil
	}
	bytes := []byte(v)
	for _, format := range []string{"%02x", "%02X"} {
		for _, between := range []string{":", " ", "-", ", "} {
			all = append(all, each(bytes, format, between))
		}
		all = append(all, each(bytes, "0x"+format, ", "))
	}
	all = append(all, each(bytes, "%d", ", "), each(bytes, "%d", ","), each(bytes, "%d", " "))
	for inner := range 3 {
		for outer := range 3 {
			all = append(all, base64Core(base64.StdEncoding, base64Core(base64.StdEncoding, v, inner), outer))
		}
	}
	for before := range 5 {
		all = append(all, base32Core(v, before))
	}
	return append(all, hex.EncodeToString([]byte(hex.EncodeToString(bytes))))
}

// base32Core is the part of the base32 text that depends only on v when some bytes
// precede it.
func base32Core(v string, before int) string {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, before), v...))
	first, last := (before*8+4)/5, (before+len(v))*8/5
	if before == 0 { // what follows is nothing, mostly
		last = len(text)
	}
	return text[first:last]
}

// each writes all bytes in a format.
func each(parts []byte, format, between string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(between)
		}
		fmt.Fprintf(&b, format, p)
	}
	return b.String()
}
