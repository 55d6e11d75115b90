package secret

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Forms as Python's and a browser's functions write them of the value.
func TestMaskSpelled(t *testing.T) {
	m, err := New([]string{"s3&é<k"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		`hex(":")`: "73:33:26:c3:a9:3c:6b", `hex(" ")`: "73 33 26 c3 a9 3c 6b", "openssl": "73:33:26:C3:A9:3C:6B",
		"Go's %v": "[115 51 38 195 169 60 107]", "list of bytes": "[115, 51, 38, 195, 169, 60, 107]", "JSON": "[115,51,38,195,169,60,107]",
		"C":              "{0x73, 0x33, 0x26, 0xc3, 0xa9, 0x3c, 0x6b}",
		"all in percent": "%73%33%26%c3%a9%3c%6b", "escapes of bytes": `\x73\x33\x26\xc3\xa9\x3c\x6b`, "again": `\x73\x33\x26\xc3\xa9\x3c\x6b`,
		"escapes": `\u0073\u0033\u0026\u00e9\u003c\u006b`, "entities": "&#115;&#51;&#38;&#233;&#60;&#107;", "entities in hex": "&#x73;&#x33;&#x26;&#xe9;&#x3c;&#x6b;",
		"quoted twice": "s3%2526%25C3%25A9%253Ck", "escaped twice": "s3&amp;amp;é&amp;lt;k",
		"base64 twice": "Y3pNbXc2azhhdz09", "base32": "OMZSNQ5JHRVQ====",
	} {
		if got := m.Text("before " + text + " after"); !strings.Contains(got, Mark) {
			t.Errorf("%s is not masked: %q", name, got)
		}
	}
	if m, err := New([]string{`a"b<c'd`}); err != nil || !strings.Contains(m.Text("a&amp;quot;b&amp;lt;c&amp;#x27;d"), Mark) {
		t.Error("escaped twice by Python is not masked", err)
	}
	for inner := range 3 { // as a schema of Arrow lies in a frame of Parquet
		for outer := range 3 {
			once := base64.StdEncoding.EncodeToString([]byte("xyz"[:inner] + "s3&é<k, other"))
			text := base64.StdEncoding.EncodeToString([]byte("xyz"[:outer] + once))
			if got := m.Text(text); !strings.Contains(got, Mark) {
				t.Errorf("base64 after %d in base64 after %d is not masked: %q", inner, outer, got)
			}
		}
	}
	if got := m.Text("73:33:26:c3:a9:3c:6d, OMZSNQ5JHRVX, [115, 51, 38]"); strings.Contains(got, Mark) {
		t.Errorf("other text is masked: %q", got)
	}
}
