//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// account is the unprivileged account that the server runs under when we are root; nil
// when we are not, and the server runs as ourselves.
type account struct{ uid, gid uint32 }

// serverAccount finds that account. initdb wants one with a name, so it must be in the
// system's list. The account postgres comes second: where it exists it may own another
// server's data, which a way into ours must not open.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"nobody", "postgres"} {
		u, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and this machine has no account nobody or postgres to run it under: set DATABASE_URL, or start erpgraph as another user")
}

// own gives a path to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// owns is an error when a path belongs to another user than the one who runs the server.
// Such files stay as they are: changing the owner of what others put in our way is how
// root gives away /etc.
func (a *account) owns(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	want := os.Geteuid()
	if a != nil {
		want = int(a.uid)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != want {
		return fmt.Errorf("%s belongs to user %d, but the server runs as user %d: start erpgraph as before, or give the files to that user", path, st.Uid, want)
	}
	return nil
}

// attributes are those of a child: the server's account, and a process group of its own,
// so that Ctrl-C in a terminal reaches us and not it.
func attributes(a *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: []uint32{}}
	}
	dieWithParent(attr)
	return attr
}
