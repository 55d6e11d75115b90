package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
)

// PutBundle stores the files that planning the sweep takes and returns their
// key.
func (s *Sweep) PutBundle(ctx context.Context, files []pack.File) (key string, err error) {
	b, err := pack.Files(files)
	if err != nil {
		return "", err
	}
	key = keyBundle(Digest(b))
	err = s.store.Create(ctx, key, b, store.Synced)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("store %s: %w", key, err)
	}
	return key, nil
}

// UnpackBundle writes the files that PutBundle stored into a new folder.
func UnpackBundle(ctx context.Context, st store.Store, key, folder string) error {
	b, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if key != keyBundle(Digest(b)) {
		return fmt.Errorf("read %s: it does not hold what its name says", key)
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	if err := pack.Unpack(b, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", key, err)
	}
	return nil
}

// Unpack writes the files frozen with the sweep into folder, which exists.
func (s *Sweep) Unpack(ctx context.Context, folder string) error {
	if s.head.Files == "" {
		return nil
	}
	b, err := s.Object(ctx, s.head.Files)
	if err != nil {
		return err
	}
	if err := pack.Unpack(b, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", s.head.Files, err)
	}
	return nil
}
