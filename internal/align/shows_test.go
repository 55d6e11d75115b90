package align

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
)

// What stands for a picture is not shown beside it; text of another output is.
func TestShown(t *testing.T) {
	picture := normal.Part{What: "image/png", Kind: normal.Picture, Of: 1}
	figure := normal.Part{What: "text/plain", Of: 1, Text: "<Figure size 640x480 with 1 Axes>"}
	for want, parts := range map[string][]normal.Part{
		"image/png":                         {figure, picture},
		"0.93":                              {figure, picture, {What: "text/plain", Of: 2, Text: "0.93\nmore"}},
		"drawing":                           {{What: normal.Stdout, Text: "drawing"}, figure, picture},
		"<Figure size 640x480 with 1 Axes>": {figure},
		"nothing":                           nil,
	} {
		if got := shown(parts); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
