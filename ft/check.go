package ft

import (
	"errors"
	"hash/crc32"
	"io"
)

// checkFile reads an encoded checkpoint through, in little memory, and compares all checksums. The error is a *FormatError or
// the system's.
func checkFile(fs FS, name string) (info Info, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return info, err
	}
	h, err := readHeader(f, size)
	if err != nil {
		return info, err
	}
	if h.info.Bytes != size {
		return info, formatErrorf(size, "%d bytes, the header announces %d", size, h.info.Bytes)
	}
	buf := make([]byte, 256<<10)
	for _, s := range h.sections {
		sum := crc32.New(castagnoli)
		if _, err := io.CopyBuffer(sum, io.NewSectionReader(f, s.at, s.bytes), buf); err != nil {
			return info, err
		}
		if sum.Sum32() != s.sum {
			return info, formatErrorf(s.at, "checksum of %s is %08x, must be %08x", s.name(), sum.Sum32(), s.sum)
		}
	}
	return h.info, nil
}

// readHeader reads the header of a file of the given size.
func readHeader(f io.ReaderAt, size int64) (*header, error) {
	start := make([]byte, min(size, headerBytesMin))
	if err := readFull(f, start); err != nil {
		return nil, err
	}
	n, err := headerSize(start)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(size, int64(n)))
	if err := readFull(f, b); err != nil {
		return nil, err
	}
	return parseHeader(b)
}

func readFull(f io.ReaderAt, b []byte) error {
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return err
	}
	return nil
}
