package httpapi

import (
	"errors"
	"io"
	"time"
)

const (
	// uploadRate is how many bytes a second an upload must bring in the long run.
	uploadRate = 16 << 10
	// partHeaderBytes bounds the header of one part of a form; mime/multipart allows
	// 10 MB of memory for it.
	partHeaderBytes = 16 << 10
)

var errPartHeader = errors.New("httpapi: the header of a part is too long")

// pacedBody is a body that may take as long as it needs, but not at any pace: each
// readTime must bring something, and the whole must come at uploadRate, readTime apart.
// Who sends a byte now and then loses the connection, and with it the place among the
// uploads. Read fails with os.ErrDeadlineExceeded then.
type pacedBody struct {
	body        io.Reader
	setDeadline func(time.Time) error
	started     time.Time
	received    int64
	// header is how much may be read before the header of a part has ended, while
	// inHeader says that one is being read.
	header   int64
	inHeader bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.inHeader {
		if b.header <= 0 {
			return 0, errPartHeader
		}
		p = p[:min(int64(len(p)), b.header)]
	}
	// Not every writer has deadlines; those that have none are tests.
	_ = b.setDeadline(b.due(time.Now()))
	n, err := b.body.Read(p)
	b.received += int64(n)
	b.header -= int64(n)
	return n, err
}

// due is when the next bytes must be here.
func (b *pacedBody) due(now time.Time) time.Time {
	next := now.Add(readTime)
	whole := b.started.Add(readTime + time.Duration(b.received/uploadRate)*time.Second)
	if whole.Before(next) {
		return whole
	}
	return next
}

// boundHeader bounds what read reads: the header of a part, and what stands before it.
func (b *pacedBody) boundHeader(read func() error) error {
	b.header, b.inHeader = partHeaderBytes, true
	defer func() { b.inHeader = false }()
	return read()
}
