package embedded

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent asks the kernel to stop the server when we are killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// foreign tells whether a process is certainly not PostgreSQL.
func foreign(pid int) bool {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return err == nil && strings.TrimSpace(string(name)) != "postgres"
}
