// Package benchtest has what benchmarks of several packages measure.
package benchtest

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// Resident is the memory of this process in bytes, once all that can be given back is. It
// is known on Linux only: elsewhere the benchmark fails.
func Resident(b *testing.B) float64 {
	b.Helper()
	for range 3 { // stacks shrink by half each time
		debug.FreeOSMemory()
	}
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatalf("the memory of a process is known on Linux only: %v", err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}
