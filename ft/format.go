package ft

import (
	"fmt"
	"hash/crc32"
)

// The layout of an encoded checkpoint, little-endian. A header, which can be read alone:
//
//	 0 magic "SPCK"             4
//	 4 version 2                2
//	 6 flags                    2   1: the end of the input is known
//	 8 header                   4   bytes, all of it
//	12 tables                   4
//	16 logs                     4
//	20 splits                   4
//	24 operator                 2   bytes
//	26 kind                     1   0 base, 1 delta
//	27 0                        5
//	32 first hash               8
//	40 last hash                8
//	48 generation               8
//	56 generation it follows    8   0 in a base
//	64 position                 8
//	72 end of the input         8   0 if not known
//	80 mark                     8   bytes
//	88 operator, and zeros up to a multiple of 8
//	   for each table:          56
//	       schema fingerprint   8
//	       parent               8
//	       records              8
//	       deletions            8
//	       blocks, decompressed 8   bytes
//	       image                8   bytes
//	       CRC-32C of the image 4
//	       kind 0 0 0           4
//	   for each log:            56
//	       trim point           8
//	       frontier             8
//	       frames               8   bytes
//	       CRC-32C of frames    4
//	       edge                 2
//	       0                    2
//	       consumer: first hash 8
//	       last hash            8
//	       index                4
//	       0                    4
//	   CRC-32C of splits        4
//	   CRC-32C of mark          4
//	   0                        4
//	   CRC-32C of the above     4
//
// and then, each filled up with zeros to a multiple of 8 so that frames can be read where they lie, the sections: splits,
// mark, the tables' images, the logs' frames. A split is:
//
//	 0 ordinal                  2
//	 2 ended 0 0 0 0 0          6
//	 8 place, skip              16
//	24 records passed over      8
//	32 last time                8
//	40 promise                  8
const (
	magic   = "SPCK"
	version = 2

	flagEnding = 1

	fixedBytes = 88 // of the header before the operator
	tableBytes = 56
	logBytes   = 56
	tailBytes  = 16
	splitBytes = 48

	headerBytesMin = fixedBytes + tailBytes
	// headerBytesMax is room for a hundred thousand tables and logs: more than any task has, and less than would hurt.
	headerBytesMax = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// FormatError says what is wrong with an encoded checkpoint, and where.
type FormatError struct {
	Offset int64 // bytes from its beginning
	Reason string
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("checkpoint damaged at byte %d: %s", e.Offset, e.Reason)
}

func formatErrorf[N int | int64](at N, format string, args ...any) error {
	return &FormatError{int64(at), fmt.Sprintf(format, args...)}
}

// padded is n, filled up to a multiple of 8.
func padded[N int | int64](n N) N { return (n + 7) &^ 7 }
