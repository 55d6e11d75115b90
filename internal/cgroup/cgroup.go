// Package cgroup is what the control group of this process allows it and has counted,
// in both versions of control groups: a container, a batch system or systemd sets its
// limits so.
//
// It only reads. Where the system has no control groups, there are no limits.
package cgroup
