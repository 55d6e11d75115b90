package shred

import (
	"sync"

	"github.com/klauspost/compress/zstd"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// A pageCodec is parquet-go's codec, with encoders that look no further back than the
// megabyte that a page has: its own hold 8 MB each.
type pageCodec struct {
	parquetzstd.Codec
	encoder func() (*zstd.Encoder, error)
}

// codec is one for all files, and its encoder too: runs of a sweep with steps are fed
// a small file each.
var codec = &pageCodec{encoder: sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithWindowSize(pageBytes), zstd.WithEncoderConcurrency(2),
		zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
})}

func (c *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	e, err := c.encoder()
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(src, dst[:0]), nil
}
