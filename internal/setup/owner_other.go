//go:build !unix

package setup

import "io/fs"

// foreign tells nothing where files have no owner that Go can name.
func foreign(fs.FileInfo) bool { return false }
