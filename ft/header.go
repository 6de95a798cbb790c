package ft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// header is the first part of a checkpoint, read.
type header struct {
	info     Info
	sections []section // splits, mark, tables, logs
}

// section is a part of a checkpoint that the header announces.
type section struct {
	kind  sectionKind
	index int
	at    int64
	bytes int64
	sum   uint32
}

type sectionKind uint8

const (
	splitSection sectionKind = iota
	markSection
	tableSection
	logSection
)

func (s section) name() string {
	switch s.kind {
	case splitSection:
		return "the splits"
	case markSection:
		return "the mark"
	case tableSection:
		return fmt.Sprintf("table %d", s.index)
	}
	return fmt.Sprintf("log %d", s.index)
}

// parseHeader checks and reads the header at the beginning of b.
func parseHeader(b []byte) (*header, error) {
	size, err := headerSize(b)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if len(b) < size {
		return nil, formatErrorf(len(b), "truncated: %d bytes, the header alone has %d", len(b), size)
	}
	b = b[:size]
	if sum := crc32.Checksum(b[:size-4], castagnoli); sum != le.Uint32(b[size-4:]) {
		return nil, formatErrorf(size-4, "checksum of the header is %08x, must be %08x", sum, le.Uint32(b[size-4:]))
	}
	h := &header{}
	if err := h.parseFixed(b); err != nil {
		return nil, err
	}
	return h, h.parseParts(b)
}

// headerSize is how long the header at the beginning of b says it is.
func headerSize(b []byte) (int, error) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerBytesMin:
		return 0, formatErrorf(0, "truncated: %d bytes, a header has at least %d", len(b), headerBytesMin)
	case string(b[:4]) != magic:
		return 0, formatErrorf(0, "not a checkpoint: it begins with %q, must be %q", b[:4], magic)
	case le.Uint16(b[4:]) != version:
		return 0, formatErrorf(4, "version %d, only %d is known", le.Uint16(b[4:]), version)
	}
	size := uint64(le.Uint32(b[8:]))
	tables, logs, operator := uint64(le.Uint32(b[12:])), uint64(le.Uint32(b[16:])), int64(le.Uint16(b[24:]))
	if want := headerBytesMin + uint64(padded(operator)) + tableBytes*tables + logBytes*logs; size != want {
		return 0, formatErrorf(8, "a header of %d bytes, its counts make %d", size, want)
	}
	if size > headerBytesMax {
		return 0, formatErrorf(8, "a header of %d bytes, at most %d are allowed", size, headerBytesMax)
	}
	return int(size), nil
}

// parseFixed reads the header up to the operator.
func (h *header) parseFixed(b []byte) error {
	le := binary.LittleEndian
	flags, operator := le.Uint16(b[6:]), int(le.Uint16(b[24:]))
	i := &h.info
	i.Ending = flags&flagEnding != 0
	i.Splits, i.Kind = int(le.Uint32(b[20:])), state.Kind(b[26])
	i.Task.Operator = string(b[fixedBytes:][:operator])
	i.Task.Range.First, i.Task.Range.Last = le.Uint64(b[32:]), le.Uint64(b[40:])
	i.Generation, i.Follows = le.Uint64(b[48:]), le.Uint64(b[56:])
	i.Position, i.EndOf = wire.Time(le.Uint64(b[64:])), wire.Time(le.Uint64(b[72:]))
	switch {
	case flags&^flagEnding != 0:
		return formatErrorf(6, "unknown flags %04x", flags)
	case i.Kind > state.Delta:
		return formatErrorf(26, "unknown kind %d", b[26])
	case !isZero(b[27:32]) || !isZero(b[fixedBytes+operator:fixedBytes+padded(operator)]):
		return formatErrorf(27, "bytes of the header that must be zero are not")
	case !i.Task.Range.Valid():
		return formatErrorf(32, "range %v is not valid", i.Task.Range)
	case (i.Kind == state.Delta) != (i.Follows != 0):
		return formatErrorf(56, "a %v that follows generation %d: a delta must follow one, a base none", i.Kind, i.Follows)
	case i.Follows != 0 && i.Follows >= i.Generation:
		return formatErrorf(56, "generation %d follows %d, must follow one below", i.Generation, i.Follows)
	case !i.Ending && i.EndOf != 0:
		return formatErrorf(72, "an end of the input at %v that is not known", i.EndOf)
	}
	return nil
}

// parseParts reads the rest of the header.
func (h *header) parseParts(b []byte) error {
	le := binary.LittleEndian
	tables, logs := int(le.Uint32(b[12:])), int(le.Uint32(b[16:]))
	sums := b[len(b)-tailBytes:]
	if !isZero(sums[8:12]) {
		return formatErrorf(len(b)-8, "bytes of the header that must be zero are not")
	}
	h.info.Bytes = int64(len(b))
	h.sections = make([]section, 0, 2+tables+logs)
	if err := h.addSection(splitSection, 0, splitBytes*uint64(h.info.Splits), le.Uint32(sums), 20); err != nil {
		return err
	}
	if err := h.addSection(markSection, 0, le.Uint64(b[80:]), le.Uint32(sums[4:]), 80); err != nil {
		return err
	}
	h.info.MarkBytes = h.sections[1].bytes
	at := fixedBytes + padded(len(h.info.Task.Operator))
	h.info.Tables = make([]TableInfo, tables)
	for i := range tables {
		if err := h.parseTable(b[at:][:tableBytes], i, at); err != nil {
			return err
		}
		at += tableBytes
	}
	h.info.Logs = make([]LogInfo, logs)
	for i := range logs {
		if err := h.parseLog(b[at:][:logBytes], i, at); err != nil {
			return err
		}
		at += logBytes
	}
	return nil
}

func (h *header) parseTable(b []byte, i, at int) error {
	le := binary.LittleEndian
	t := TableInfo{
		Fingerprint: le.Uint64(b), Parent: wire.Time(le.Uint64(b[8:])), Records: int64(le.Uint64(b[16:])),
		Deletions: int64(le.Uint64(b[24:])), RawBytes: int64(le.Uint64(b[32:])), Kind: state.Kind(b[52]),
	}
	switch {
	case t.Kind > state.Delta || !isZero(b[53:56]):
		return formatErrorf(at+52, "unknown kind %d of table %d, or bytes that must be zero are not", b[52], i)
	case t.Kind == state.Delta && h.info.Kind == state.Base:
		return formatErrorf(at+52, "table %d is a delta in a checkpoint that is a base", i)
	}
	if err := h.addSection(tableSection, i, le.Uint64(b[40:]), le.Uint32(b[48:]), at+40); err != nil {
		return err
	}
	t.Bytes = h.sections[len(h.sections)-1].bytes
	h.info.Tables[i] = t
	return nil
}

func (h *header) parseLog(b []byte, i, at int) error {
	le := binary.LittleEndian
	if !isZero(b[30:32]) || !isZero(b[52:56]) {
		return formatErrorf(at+30, "bytes of the header that must be zero are not")
	}
	name := LogName{
		Edge: le.Uint16(b[28:]), Task: le.Uint32(b[48:]), Range: partition.Range{First: le.Uint64(b[32:]), Last: le.Uint64(b[40:])},
	}
	if !name.Range.Valid() {
		return formatErrorf(at+32, "range %v of a consumer is not valid", name.Range)
	}
	if err := h.addSection(logSection, i, le.Uint64(b[16:]), le.Uint32(b[24:]), at+16); err != nil {
		return err
	}
	h.info.Logs[i] = LogInfo{
		LogName: name, Trim: wire.Time(le.Uint64(b)), Frontier: wire.Time(le.Uint64(b[8:])), Bytes: h.sections[len(h.sections)-1].bytes,
	}
	return nil
}

// addSection adds a section behind those that there are; at is where the header says its length.
func (h *header) addSection(kind sectionKind, index int, size uint64, sum uint32, at int) error {
	if size > uint64(math.MaxInt64-8-h.info.Bytes) {
		return formatErrorf(at, "a section of %d bytes", size)
	}
	h.sections = append(h.sections, section{kind, index, h.info.Bytes, int64(size), sum})
	h.info.Bytes += padded(int64(size))
	return nil
}
