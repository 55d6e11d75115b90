package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fanout-dev/fanout/internal/store"
)

// AskCancel asks the fanout that holds the sweep to stop what it makes and to
// leave. It sees the request with CancelAsked.
func (s *Sweep) AskCancel(ctx context.Context) error {
	epoch, err := s.lastEpoch(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(thisHolder())
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, keyCancel(epoch), append(text, '\n'), store.Synced); err != nil {
		return fmt.Errorf("ask the holder of %s to stop: %w", s.store, err)
	}
	return nil
}

// CancelAsked says who asked this process, which holds the lease, to stop.
func (s *Sweep) CancelAsked(ctx context.Context) (by Holder, asked bool, err error) {
	text, err := s.store.Get(ctx, keyCancel(s.Epoch()))
	if errors.Is(err, fs.ErrNotExist) {
		return by, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &by)
	}
	return by, err == nil, err
}
