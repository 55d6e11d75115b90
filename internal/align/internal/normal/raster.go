package normal

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// raster is the file of a picture, as its JSON text holds it.
func raster(raw json.RawMessage) []byte {
	text := strings.NewReplacer("\n", "", "\r", "").Replace(textOf(raw))
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return []byte(text)
	}
	return b
}

var pngStart = []byte("\x89PNG\r\n\x1a\n")

// pixels are the chunks of a PNG that say what it looks like: not those that
// say which program wrote it when. Of other formats it is the file.
func pixels(file []byte) string {
	rest, isPNG := bytes.CutPrefix(file, pngStart)
	if !isPNG {
		return string(file)
	}
	var kept strings.Builder
	for len(rest) >= 12 {
		n := int(binary.BigEndian.Uint32(rest))
		if n < 0 || n > len(rest)-12 {
			return string(file)
		}
		switch kind := string(rest[4:8]); kind {
		case "IHDR", "PLTE", "tRNS", "IDAT":
			kept.WriteString(kind)
			kept.Write(rest[8 : 8+n])
		}
		rest = rest[12+n:]
	}
	return kept.String()
}

func floatText(bits uint64) string { return jsonNumber(math.Float64frombits(bits), 64) }

func float32Text(bits uint32) string { return jsonNumber(float64(math.Float32frombits(bits)), 32) }

func intText(i int64) string { return strconv.FormatInt(i, 10) }

func jsonNumber(x float64, bits int) string { return strconv.FormatFloat(x, 'g', -1, bits) }
