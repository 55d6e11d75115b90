// Package trouble knows how errors are answered.
//
// In goes an error; out comes the status of the response, and from that the title of
// its page.
package trouble

import (
	"context"
	"errors"
	"io/fs"
	"net/http"

	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Missing says what is not there.
type Missing string

func (m Missing) Error() string { return string(m) }

// Is makes it an fs.ErrNotExist.
func (Missing) Is(target error) bool { return target == fs.ErrNotExist }

// ErrNoFile is all that is said of an object that is missing.
const ErrNoFile = Missing("no such file")

// NoFile says of a missing object only that it is missing.
func NoFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoFile
	}
	return err
}

// StatusOf is the status of an error's response.
func StatusOf(err error) int {
	var older *sweep.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, sweep.ErrNotASweep):
		return http.StatusNotFound
	case unit.IsMistake(err):
		return http.StatusBadRequest
	case errors.As(err, &older), Unplanned(err):
		return http.StatusConflict
	case errors.Is(err, books.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway // what is shown lies elsewhere, and could not be read
}

// Unplanned reports that nothing is planned yet in a sweep.
func Unplanned(err error) bool {
	var unplanned *sweep.UnplannedError
	return errors.As(err, &unplanned)
}

// Title is that of the page of a status.
func Title(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Who are you?"
	case http.StatusNotFound:
		return "Not here"
	case http.StatusBadRequest:
		return "That does not work"
	}
	return http.StatusText(status)
}
