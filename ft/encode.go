package ft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/fullspate/spate/state"
)

var zeros [8]byte

// Append appends the encoded checkpoint. It reads the images of tables through once, for their checksums. An image that is
// not one, or an operator of more than 65,535 bytes, is a bug and panics.
func (c *Checkpoint) Append(dst []byte) []byte {
	if len(c.Operator) > math.MaxUint16 {
		panic(fmt.Sprintf("BUG: the operator of a checkpoint has %d bytes, at most %d are allowed", len(c.Operator), math.MaxUint16))
	}
	splits := c.appendSplits(nil)
	dst = grow(dst, c.encodedBytes(len(splits)))
	dst = c.appendHeader(dst, splits)
	dst = appendSection(dst, splits)
	dst = appendSection(dst, c.Mark)
	for _, image := range c.Tables {
		dst = appendSection(dst, image)
	}
	for _, l := range c.Logs {
		dst = appendSection(dst, l.Frames)
	}
	return dst
}

// headerBytes is the length of the header.
func (c *Checkpoint) headerBytes() int {
	return headerBytesMin + padded(len(c.Operator)) + tableBytes*len(c.Tables) + logBytes*len(c.Logs)
}

// encodedBytes is the length of it all, given that of the splits.
func (c *Checkpoint) encodedBytes(splits int) int {
	n := c.headerBytes() + splits + padded(len(c.Mark))
	for _, image := range c.Tables {
		n += padded(len(image))
	}
	for _, l := range c.Logs {
		n += padded(len(l.Frames))
	}
	return n
}

// grow makes room for n bytes, and no more: a checkpoint may be as large as memory allows.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

func appendSection(dst, section []byte) []byte {
	dst = append(dst, section...)
	return append(dst, zeros[:padded(len(section))-len(section)]...)
}

func (c *Checkpoint) appendHeader(dst, splits []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	var flags uint16
	var endOf uint64
	if c.Ending {
		flags, endOf = flagEnding, uint64(c.EndOf)
	}
	dst = append(dst, magic...)
	dst = le.AppendUint16(dst, version)
	dst = le.AppendUint16(dst, flags)
	dst = le.AppendUint32(dst, uint32(c.headerBytes()))
	dst = le.AppendUint32(dst, uint32(len(c.Tables)))
	dst = le.AppendUint32(dst, uint32(len(c.Logs)))
	dst = le.AppendUint32(dst, uint32(len(c.Splits)))
	dst = le.AppendUint16(dst, uint16(len(c.Operator)))
	dst = append(dst, byte(c.Kind))
	dst = append(dst, zeros[:5]...)
	for _, v := range []uint64{c.Range.First, c.Range.Last, c.Generation, c.Follows, uint64(c.Position), endOf, uint64(len(c.Mark))} {
		dst = le.AppendUint64(dst, v)
	}
	dst = appendSection(dst, []byte(c.Operator))
	for i, image := range c.Tables {
		dst = appendTable(dst, i, image)
	}
	for _, l := range c.Logs {
		dst = le.AppendUint64(dst, uint64(l.Trim))
		dst = le.AppendUint64(dst, uint64(l.Frontier))
		dst = le.AppendUint64(dst, uint64(len(l.Frames)))
		dst = le.AppendUint32(dst, crc32.Checksum(l.Frames, castagnoli))
		dst = le.AppendUint16(dst, l.Edge)
		dst = append(dst, zeros[:2]...)
		dst = le.AppendUint64(dst, l.Range.First)
		dst = le.AppendUint64(dst, l.Range.Last)
		dst = le.AppendUint32(dst, l.Task)
		dst = append(dst, zeros[:4]...)
	}
	dst = le.AppendUint32(dst, crc32.Checksum(splits, castagnoli))
	dst = le.AppendUint32(dst, crc32.Checksum(c.Mark, castagnoli))
	dst = append(dst, zeros[:4]...)
	return le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// appendTable appends what the header says about a table.
func appendTable(dst []byte, i int, image []byte) []byte {
	info, err := state.Inspect(image)
	if err != nil {
		panic(fmt.Sprintf("BUG: table %d of a checkpoint: %v", i, err))
	}
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, info.Fingerprint)
	dst = le.AppendUint64(dst, uint64(parentOf(&info)))
	dst = le.AppendUint64(dst, uint64(info.Records))
	dst = le.AppendUint64(dst, uint64(info.Deletions))
	dst = le.AppendUint64(dst, uint64(info.RawBytes))
	dst = le.AppendUint64(dst, uint64(len(image)))
	dst = le.AppendUint32(dst, crc32.Checksum(image, castagnoli))
	return append(dst, byte(info.Kind), 0, 0, 0)
}

func (c *Checkpoint) appendSplits(dst []byte) []byte {
	le := binary.LittleEndian
	for _, s := range c.Splits {
		dst = le.AppendUint16(dst, s.Ordinal)
		var ended byte
		if s.Ended {
			ended = 1
		}
		dst = append(dst, ended, 0, 0, 0, 0, 0)
		for _, v := range []uint64{uint64(s.Offset.Place), uint64(s.Offset.Skip), uint64(s.Skip), uint64(s.Last), uint64(s.Promise)} {
			dst = le.AppendUint64(dst, v)
		}
	}
	return dst
}
