package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// readBytes is asked from the input at a time: large enough that the calls do not count.
	readBytes = 256 << 10
	// lineBytesMax bounds a line. The longest that is right has some 110 bytes.
	lineBytesMax = 4 << 10
)

// Lines cuts a stream into lines without copying or allocating. The last line may lack its newline, and empty lines at the
// very end are ignored; anywhere else they are lines.
type Lines struct {
	in         io.Reader
	buf        []byte
	start, end int // what of buf is still to be handed out
	number     int // of the last line handed out
	file       string
	err        error // sticky: io.EOF or the input's
}

// NewLines reads in, which it calls file in errors.
func NewLines(in io.Reader, file string) *Lines {
	return &Lines{in: in, file: file, buf: make([]byte, readBytes)}
}

// Number returns the number of the last line that Next returned, from 1.
func (l *Lines) Number() int { return l.number }

// Next returns the next line without its newline or carriage return, borrowed until the next call. The error is io.EOF at the
// end, a *FieldError for a line longer than any that is right (which is passed over), or the input's, wrapped.
func (l *Lines) Next() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.buf[l.start+searched:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.start+searched+i]
			l.start += searched + i + 1
			return l.hand(line)
		}
		searched = l.end - l.start
		if searched > lineBytesMax {
			return nil, l.passLongLine()
		}
		if l.err != nil {
			return l.last()
		}
		l.fill()
	}
}

// hand counts a line and returns it; an empty one only if something follows it.
func (l *Lines) hand(line []byte) ([]byte, error) {
	l.number++
	line = trimReturn(line)
	if len(line) > 0 || !l.onlyNewlinesLeft() {
		return line, nil
	}
	return nil, l.wrapped()
}

// last returns what stands behind the last newline, if anything does.
func (l *Lines) last() ([]byte, error) {
	line := trimReturn(l.buf[l.start:l.end])
	l.start = l.end
	if len(line) == 0 || l.err != io.EOF {
		return nil, l.wrapped()
	}
	l.number++
	return line, nil
}

// onlyNewlinesLeft tells whether the input ends with nothing but newlines. It moves what is buffered: lines borrowed before
// are gone, which does not matter for an empty one.
func (l *Lines) onlyNewlinesLeft() bool {
	for {
		for i, c := range l.buf[l.start:l.end] {
			if c != '\n' && c != '\r' {
				return false
			}
			if i > lineBytesMax {
				return false
			}
		}
		if l.err != nil {
			l.start = l.end
			return true
		}
		l.fill()
	}
}

// passLongLine skips a line that exceeds the bound and describes it.
func (l *Lines) passLongLine() error {
	l.number++
	e := &FieldError{File: l.file, Line: l.number, Field: "line", Value: clip(l.buf[l.start:l.end]),
		Want: fmt.Sprintf("at most %d bytes", lineBytesMax)}
	for {
		if i := bytes.IndexByte(l.buf[l.start:l.end], '\n'); i >= 0 {
			l.start += i + 1
			return e
		}
		l.start = l.end
		if l.err != nil {
			return e
		}
		l.fill()
	}
}

// fill moves what is left to the front and reads more behind it; at the end of the input, or when it fails, it sets err.
func (l *Lines) fill() {
	copy(l.buf, l.buf[l.start:l.end])
	l.end -= l.start
	l.start = 0
	for range 100 {
		n, err := l.in.Read(l.buf[l.end:])
		l.end += n
		if n > 0 || err != nil {
			l.err = err
			return
		}
	}
	l.err = io.ErrNoProgress
}

// wrapped returns the input's error with the file's name, and io.EOF as it is.
func (l *Lines) wrapped() error {
	if errors.Is(l.err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read %s after line %d: %w", l.file, l.number, l.err)
}
