package serve

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"sync"

	"github.com/fanout-dev/fanout/templates"
)

// asset is a file of ours, as it is and compressed.
type asset struct {
	kind          string
	plain, packed []byte
}

// assets are read and compressed once, when the first is asked for. One digest
// of all names the folder they are in, so that a module finds the others beside
// it and a browser never needs to ask twice.
var assets = readAssets()

type bundle struct {
	digest string
	files  map[string]func() asset
}

func readAssets() bundle {
	b := bundle{files: map[string]func() asset{}}
	sum := sha256.New()
	names, err := fs.Glob(templates.Web, "web/static/*")
	if err != nil {
		panic(err) // a pattern of ours
	}
	for _, name := range names {
		data, err := fs.ReadFile(templates.Web, name)
		if err != nil {
			panic(err) // embedded
		}
		sum.Write([]byte(name))
		sum.Write(data)
		b.files[path.Base(name)] = sync.OnceValue(func() asset {
			var packed bytes.Buffer
			z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			z.Write(data)
			z.Close()
			return asset{mime.TypeByExtension(path.Ext(name)), data, packed.Bytes()}
		})
	}
	b.digest = hex.EncodeToString(sum.Sum(nil))[:16]
	return b
}

// static answers with a file of ours. Everybody may have it: frames of foreign
// output, which are nobody, use some.
func static(w http.ResponseWriter, r *http.Request) {
	read, ok := assets.files[r.PathValue("file")]
	if !ok || r.PathValue("digest") != assets.digest {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	a, h := read(), w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Vary", "Accept-Encoding")
	body := a.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	w.Write(body)
}
