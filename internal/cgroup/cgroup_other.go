//go:build !linux

package cgroup

// Memory is unknown here.
func Memory() (free, limit int64, ok bool) { return 0, 0, false }

// Kills are unknown here.
func Kills() int64 { return 0 }
