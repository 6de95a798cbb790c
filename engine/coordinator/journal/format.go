package journal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
)

const (
	magic      = "spate-journal 1\n"
	lengthEnd  = 8                             // of a line: where the length ends
	sumStart   = lengthEnd + 1                 // where the checksum begins
	headBytes  = len("llllllll cccccccc ")     // before the record
	frameBytes = headBytes + len("\n")         // what a line has besides the record
	recordMax  = 1<<31 - 1 - int64(frameBytes) // bytes: what fits into the length and into an int everywhere
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CorruptError says where a journal is not as it was written.
type CorruptError struct {
	File   string
	Offset int64 // of the line in the file
	Reason string
}

// Error names file and offset.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// appendLine appends a record as a line.
func appendLine(dst, record []byte) []byte {
	length := fmt.Appendf(nil, "%08x", len(record))
	dst = append(dst, length...)
	dst = fmt.Appendf(dst, " %08x ", checksum(length, record))
	dst = append(dst, record...)
	return append(dst, '\n')
}

func checksum(length, record []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, record)
}

// scan reads a whole journal. The records share data's memory. good is the length of what is sound, which is all but the
// trace of an append that was cut off; where that is not so, damage says at which offset, and why.
func scan(data []byte) (records [][]byte, good int, damage string) {
	if !bytes.HasPrefix(data, []byte(magic)) {
		return nil, 0, fmt.Sprintf("it begins with %.16q, want %q", data, magic)
	}
	good = len(magic)
	for {
		end := bytes.IndexByte(data[good:], '\n')
		if end < 0 {
			return records, good, unfinished(data[good:])
		}
		line := data[good : good+end]
		record, damage := parse(line)
		if damage != "" {
			return nil, good, damage
		}
		records = append(records, record)
		good += len(line) + 1
	}
}

// parse takes the record out of a line without its newline.
func parse(line []byte) (record []byte, damage string) {
	if len(line) < headBytes || line[lengthEnd] != ' ' || line[headBytes-1] != ' ' {
		return nil, "the line does not begin with a length and a checksum"
	}
	record = line[headBytes:]
	length, err := strconv.ParseUint(string(line[:lengthEnd]), 16, 32)
	if err != nil || length != uint64(len(record)) {
		return nil, fmt.Sprintf("the record has %d bytes, %q are announced", len(record), line[:lengthEnd])
	}
	want := fmt.Sprintf("%08x", checksum(line[:lengthEnd], record))
	if sum := string(line[sumStart : headBytes-1]); sum != want {
		return nil, fmt.Sprintf("the checksum is %q, want %q", sum, want)
	}
	return record, ""
}

// unfinished says what is wrong with a tail that has no newline, beyond having been cut off: nothing, as a rule. Zeros at its
// end are blocks of the file that were never written.
func unfinished(tail []byte) (damage string) {
	tail = bytes.TrimRight(tail, "\x00")
	if len(tail) < headBytes {
		return ""
	}
	length, err := strconv.ParseUint(string(tail[:lengthEnd]), 16, 32)
	if err != nil || len(tail)-headBytes > int(length) {
		return "the last line is complete but does not end with a newline"
	}
	return ""
}
