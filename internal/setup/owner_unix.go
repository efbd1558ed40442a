//go:build unix

package setup

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign tells whether a file belongs to another user than the one who runs setup. To
// replace it would take it from its owner, or hand them secrets.
func foreign(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) != os.Geteuid()
}
