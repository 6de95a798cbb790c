package ft

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Decode reads an encoded checkpoint: all lengths, all checksums, and of the images of tables all but the insides of their
// blocks, which state.Restore and state.Fold check as they unpack them. The checkpoint shares b's memory; besides it, memory
// is taken in proportion to len(b). The error is a *FormatError.
func Decode(b []byte) (*Checkpoint, error) {
	c, _, err := decode(b)
	return c, err
}

// DecodeInfo reads what an encoded checkpoint says about itself. Of b no more than the header is needed and looked at. The
// error is a *FormatError.
func DecodeInfo(b []byte) (Info, error) {
	h, err := parseHeader(b)
	if err != nil {
		return Info{}, err
	}
	return h.info, nil
}

func decode(b []byte) (*Checkpoint, Info, error) {
	h, err := parseHeader(b)
	if err != nil {
		return nil, Info{}, err
	}
	parts, err := h.parts(b)
	if err != nil {
		return nil, Info{}, err
	}
	c, err := h.checkpoint(parts)
	return c, h.info, err
}

// parts checks the sections and returns what is in them.
func (h *header) parts(b []byte) ([][]byte, error) {
	if h.info.Bytes != int64(len(b)) {
		return nil, formatErrorf(len(b), "%d bytes, the header announces %d", len(b), h.info.Bytes)
	}
	parts := make([][]byte, len(h.sections))
	for i, s := range h.sections {
		whole := b[s.at:][:padded(s.bytes)]
		if sum := crc32.Checksum(whole[:s.bytes], castagnoli); sum != s.sum {
			return nil, formatErrorf(s.at, "checksum of %s is %08x, must be %08x", s.name(), sum, s.sum)
		}
		if !isZero(whole[s.bytes:]) {
			return nil, formatErrorf(s.at+s.bytes, "bytes after %s that must be zero are not", s.name())
		}
		parts[i] = whole[:s.bytes:s.bytes]
	}
	return parts, nil
}

// checkpoint puts together what the sections hold.
func (h *header) checkpoint(parts [][]byte) (*Checkpoint, error) {
	i := &h.info
	c := &Checkpoint{
		Operator: i.Task.Operator, Range: i.Task.Range, Generation: i.Generation, Follows: i.Follows,
		Position: i.Position, EndOf: i.EndOf, Ending: i.Ending, Kind: i.Kind,
	}
	for n, s := range h.sections {
		part := parts[n]
		if len(part) == 0 {
			part = nil
		}
		switch s.kind {
		case splitSection:
			splits, err := parseSplits(part, s.at)
			if err != nil {
				return nil, err
			}
			c.Splits = splits
		case markSection:
			c.Mark = part
		case tableSection:
			if err := h.checkTable(s, part); err != nil {
				return nil, err
			}
			c.Tables = append(c.Tables, part)
		case logSection:
			l := i.Logs[s.index]
			c.Logs = append(c.Logs, LogImage{l.LogName, l.Trim, l.Frontier, part})
		}
	}
	return c, nil
}

// checkTable compares an image with what the header says of it, and with what must be so of every image in it.
func (h *header) checkTable(s section, image []byte) error {
	got, err := state.Inspect(image)
	var damage *state.ImageError
	switch {
	case errors.As(err, &damage):
		return formatErrorf(s.at+damage.Offset, "%s: %s", s.name(), damage.Reason)
	case err != nil:
		return formatErrorf(s.at, "%s: %v", s.name(), err)
	case tableInfo(&got, image) != h.info.Tables[s.index]:
		return formatErrorf(s.at, "%s is not what the header says: %+v, must be %+v", s.name(), tableInfo(&got, image), h.info.Tables[s.index])
	case got.Position != h.info.Position:
		return formatErrorf(s.at, "%s is at %v, the checkpoint at %v", s.name(), got.Position, h.info.Position)
	case !got.Range.Covers(h.info.Task.Range):
		return formatErrorf(s.at, "%s is of range %v, which does not cover the task's %v", s.name(), got.Range, h.info.Task.Range)
	}
	return nil
}

func tableInfo(i *state.Info, image []byte) TableInfo {
	return TableInfo{
		Fingerprint: i.Fingerprint, Kind: i.Kind, Parent: parentOf(i),
		Records: i.Records, Deletions: i.Deletions, RawBytes: i.RawBytes, Bytes: int64(len(image)),
	}
}

// parentOf is the position of what an image is to be applied to; what a base says of it does not matter.
func parentOf(i *state.Info) wire.Time {
	if i.Kind == state.Base {
		return 0
	}
	return i.Parent
}

func parseSplits(b []byte, at int64) ([]SplitState, error) {
	if len(b) == 0 {
		return nil, nil
	}
	le := binary.LittleEndian
	splits := make([]SplitState, 0, len(b)/splitBytes)
	for ; len(b) > 0; b, at = b[splitBytes:], at+splitBytes {
		skip := int64(le.Uint64(b[24:]))
		if b[2] > 1 || !isZero(b[3:8]) || skip < 0 || int64(int(skip)) != skip {
			return nil, formatErrorf(at, "split %d is neither ended nor not, bytes of it that must be zero are not, or it skips %d records",
				le.Uint16(b), skip)
		}
		splits = append(splits, SplitState{
			Ordinal: le.Uint16(b), Ended: b[2] == 1, Skip: int(skip),
			Offset: Offset{Place: int64(le.Uint64(b[8:])), Skip: int64(le.Uint64(b[16:]))},
			Last:   wire.Time(le.Uint64(b[32:])), Promise: wire.Time(le.Uint64(b[40:])),
		})
	}
	return splits, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
