package measure

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// AnswersResult names what a process has to tell of the answers that reached its sinks.
const AnswersResult = "answers"

// Gather decodes what the processes of a job have told under a name, and merges it into one; it is the zero T where nobody
// told anything.
func Gather[T any](results []engine.Result, name string, merge func(into *T, one T) error) (T, error) {
	var all T
	for _, r := range results {
		if r.Name != name {
			continue
		}
		var one T
		err := json.Unmarshal(r.Data, &one)
		if err == nil {
			err = merge(&all, one)
		}
		if err != nil && r.Worker != "" {
			err = fmt.Errorf("of worker %s: %w", r.Worker, err)
		}
		if err != nil {
			return all, fmt.Errorf("result %q: %w", name, err)
		}
	}
	return all, nil
}

// told is what one process, or all together, have to tell of answers of type A.
type told struct {
	Count    int64      `json:"count"`              // answers that reached sinks
	Answers  []packed   `json:"answers,omitempty"`  // by process, where they are checked
	Response *Responses `json:"response,omitempty"` // nil without a pace
}

// merge adds what another process told.
func (t *told) merge(o told) error {
	t.Count += o.Count
	t.Answers = append(t.Answers, o.Answers...)
	if t.Response == nil {
		t.Response = o.Response
	} else if o.Response != nil {
		t.Response.Merge(o.Response)
	}
	return nil
}

// packed are answers as the bytes of their payloads, one after the other and compressed: what a process has to tell must
// fit into a message. Base64 in JSON included, a word frequency takes some ten bytes.
type packed []byte

func pack[A any](answers []A) (packed, error) {
	codec, err := wire.Fixed[A]()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 0, len(answers)*codec.Size())
	for i := range answers {
		raw = codec.Append(raw, &answers[i])
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(raw, nil), nil
}

// unpack appends the answers to a list.
func unpack[A any](list []A, p packed) ([]A, error) {
	codec, err := wire.Fixed[A]()
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := r.DecodeAll(p, nil)
	if err != nil {
		return nil, fmt.Errorf("packed answers: %w", err)
	}
	size := codec.Size()
	if len(raw)%size != 0 {
		return nil, errors.New("packed answers do not end where an answer does")
	}
	for ; len(raw) > 0; raw = raw[size:] {
		var a A
		if err := codec.Decode(raw[:size], &a); err != nil {
			return nil, fmt.Errorf("packed answers: %w", err)
		}
		list = append(list, a)
	}
	return list, nil
}
