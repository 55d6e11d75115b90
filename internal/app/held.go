package app

import (
	"context"
	"fmt"

	"github.com/fanout-dev/fanout/internal/app/internal/news"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Held is why the pages of a sweep may not take the place of earlier ones, by what its
// sweep file says under `publish`; empty where they may.
func Held(s *sweep.Sweep, r *compare.Report) string {
	p := s.Spec().Publish
	if p == nil || r == nil {
		return ""
	}
	for _, u := range news.UnusualOf(r) {
		if p.Holds(u.Guardrail) {
			return fmt.Sprintf("the pages of %s are not published, and earlier ones stay: %s", u.Date, u.Text)
		}
	}
	return ""
}

// HeldAt is Held of the sweep at a place, which is compared for it. Whatever cannot be
// opened holds nothing: who publishes it says why.
func (a *App) HeldAt(ctx context.Context, where string) (string, error) {
	s, err := a.OpenPlanned(ctx, where)
	if err != nil || !s.Spec().Publish.Holds(true) {
		return "", nil
	}
	res, err := a.Tables(ctx, s, nil)
	if err != nil {
		return "", err
	}
	defer res.Close()
	_, r, err := a.summaryOf(ctx, s, res)
	return Held(s, r), err
}
