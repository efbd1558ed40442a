//go:build unix && !linux

package embedded

import "syscall"

// dieWithParent does nothing here: a server whose parent was killed is ended by the next
// start (endOrphan).
func dieWithParent(*syscall.SysProcAttr) {}

// foreign tells whether a process is certainly not PostgreSQL. There is no way to know
// here.
func foreign(int) bool { return false }
