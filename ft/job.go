package ft

import (
	"fmt"
	"strconv"
)

// JobInfo says whose checkpoints there are, for those who look into them without the job's program, and for a savepoint to be
// compared with the graph that is to go on from it.
type JobInfo struct {
	Graph       string         `json:"graph"`       // its name
	Fingerprint Hex            `json:"fingerprint"` // of the graph
	Operators   []OperatorInfo `json:"operators"`
}

// OperatorInfo is what its state depends on.
type OperatorInfo struct {
	ID      string       `json:"id"`
	Kind    string       `json:"kind"` // process, source or sink
	Key     string       `json:"key"`  // none, uint64 or bytes: of its inputs
	Inputs  []string     `json:"inputs,omitempty"`
	Outputs []OutputInfo `json:"outputs,omitempty"`
	Tables  []SchemaInfo `json:"tables,omitempty"` // of its checkpoints, in their order: as declared, then one for each timer
}

// OutputInfo is a declared output.
type OutputInfo struct {
	Name        string `json:"name"`
	PayloadSize int    `json:"payload_size"` // bytes; 0 where they vary
	Fingerprint Hex    `json:"fingerprint"`  // of their layout
}

// SchemaInfo is a table's schema.
type SchemaInfo struct {
	Name        string `json:"name"`
	Key         string `json:"key"` // uint64 or bytes
	Sub         string `json:"sub"` // none, uint64 or bytes
	ValueSize   int    `json:"value_size"`
	Fields      string `json:"fields,omitempty"` // of a value of fixed size: see wire.DescribeLayout
	Fingerprint Hex    `json:"fingerprint"`
}

// Operator returns what is said of an operator.
func (j *JobInfo) Operator(id string) (OperatorInfo, bool) {
	for _, o := range j.Operators {
		if o.ID == id {
			return o, true
		}
	}
	return OperatorInfo{}, false
}

// Hex is a number that is written with 16 hexadecimal digits.
type Hex uint64

// String returns the digits.
func (h Hex) String() string { return fmt.Sprintf("%016x", uint64(h)) }

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("%q is not 16 hexadecimal digits", text)
	}
	*h = Hex(v)
	return nil
}
