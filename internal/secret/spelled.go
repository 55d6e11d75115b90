package secret

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode/utf16"
)

// mostSpelled is the length, in bytes, of the longest value that is also looked for
// spelled: these forms are several times as long.
const mostSpelled = 512

// spelled lists how v looks where every byte or character of it is written as a
// number, and where it was encoded twice.
func spelled(v string) (all []string) {
	if len(v) > mostSpelled {
		return nil
	}
	bytes, chars := []byte(v), []rune(v)
	for _, format := range []string{"%02x", "%02X"} {
		for _, between := range []string{":", " ", "-", ", "} {
			all = append(all, each(bytes, format, between))
		}
		all = append(all, each(bytes, "%%"+format, ""), each(bytes, `\x`+format, ""), each(bytes, "0x"+format, ", "))
	}
	all = append(all, each(bytes, "%d", ", "), each(bytes, "%d", ","), each(bytes, "%d", " "))
	for _, format := range []string{"&#%d;", "&#x%x;", "&#x%X;"} {
		all = append(all, each(chars, format, ""))
	}
	for _, format := range []string{`\u%04x`, `\u%04X`} {
		all = append(all, each(utf16.Encode(chars), format, ""))
	}
	for _, form := range all {
		if strings.Contains(form, `\`) {
			all = append(all, jsonEscape(form, false))
		}
	}
	path := strings.ReplaceAll(url.PathEscape(v), "&", "%26")
	for _, u := range []string{url.QueryEscape(v), strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), "%2F", "/"), path} {
		all = append(all, url.QueryEscape(u), url.PathEscape(u), strings.ReplaceAll(url.QueryEscape(u), "%2F", "/"))
	}
	for inner := range 3 {
		for outer := range 3 {
			all = append(all, base64Core(base64.StdEncoding, base64Core(base64.StdEncoding, v, inner), outer))
		}
	}
	again := strings.NewReplacer("&", "&amp;amp;", "<", "&amp;lt;", ">", "&amp;gt;", `"`, "&amp;quot;", "'", "&amp;#x27;").Replace(v)
	return append(all, again, html.EscapeString(html.EscapeString(v)), hex.EncodeToString([]byte(hex.EncodeToString(bytes))),
		strings.TrimRight(base32.StdEncoding.EncodeToString(bytes), "="))
}

// each writes all parts in a format.
func each[T any](parts []T, format, between string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(between)
		}
		fmt.Fprintf(&b, format, p)
	}
	return b.String()
}
