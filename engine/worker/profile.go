package worker

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// profileMax bounds how long a processor profile may take.
const profileMax = 10 * time.Minute

// profile takes a profile of the process on a goroutine of its own.
func (w *Worker) profile(m *control.Profile) {
	w.tasks.Go(func() {
		answer := &control.Profiled{Request: m.Request}
		data, err := takeProfile(m.Kind, m.For)
		if answer.Data = data; err != nil {
			answer.Error = err.Error()
		}
		w.post(func() { w.tell(answer) })
	})
}

func takeProfile(kind string, d time.Duration) ([]byte, error) {
	var b bytes.Buffer
	if kind == "cpu" {
		if d <= 0 || d > profileMax {
			return nil, fmt.Errorf("a processor profile of %v, want more than 0 and at most %v", d, profileMax)
		}
		if err := pprof.StartCPUProfile(&b); err != nil {
			return nil, err
		}
		time.Sleep(d)
		pprof.StopCPUProfile()
		return b.Bytes(), nil
	}
	p := pprof.Lookup(kind)
	if p == nil {
		return nil, fmt.Errorf("there is no profile %q, want cpu, heap, allocs or goroutine", kind)
	}
	if kind == "heap" || kind == "allocs" {
		runtime.GC() // a profile shows what was there at the last collection
	}
	err := p.WriteTo(&b, 0)
	return b.Bytes(), err
}
