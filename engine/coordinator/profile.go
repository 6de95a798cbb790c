package coordinator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// profileKinds are the profiles that workers can take.
var profileKinds = []string{"cpu", "heap", "allocs", "goroutine", "slabs"}

const (
	// profileMax bounds how long a profile may take.
	profileMax = 5 * time.Minute
	// profileSlack is how long workers have for an answer, beyond the time of the profile itself.
	profileSlack = 10 * time.Second
)

// Profile is a profile of one worker, or why there is none.
type Profile struct {
	Worker string
	Data   []byte // as pprof writes it
	Err    error
}

// profiling is a profile that a worker was asked for.
type profiling struct {
	worker string
	conn   ConnID
	result chan Profile // has room for the one answer
}

// Profile takes profiles of all workers that are there, by worker. The kind is cpu, heap, allocs, goroutine or slabs; a cpu
// profile takes the time that it is given, at most 5 min.
func (s *Server) Profile(ctx context.Context, kind string, d time.Duration) ([]Profile, error) {
	if !slices.Contains(profileKinds, kind) {
		return nil, errorf(Invalid, "there is no profile %q, want one of: %s", kind, strings.Join(profileKinds, ", "))
	}
	if d < 0 || d > profileMax || kind == "cpu" && d == 0 {
		return nil, errorf(Invalid, "a profile of %v, want more than 0 and at most %v", d, profileMax)
	}
	var asked map[uint64]*profiling
	if err := s.ask(ctx, func(k *desk, _ time.Time) { asked = s.askForProfiles(k, kind, d) }); err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		return nil, errorf(Unavailable, "there are no workers")
	}
	defer s.post(func(k *desk, _ time.Time) { k.forgetProfiles(asked) })
	ctx, cancel := context.WithTimeout(ctx, d+profileSlack)
	defer cancel()
	var list []Profile
	for _, p := range asked {
		select {
		case r := <-p.result:
			list = append(list, r)
		case <-s.dead:
			return nil, errStopping
		case <-ctx.Done():
			list = append(list, Profile{Worker: p.worker, Err: errors.New("no answer in time")})
		}
	}
	slices.SortFunc(list, func(a, b Profile) int { return strings.Compare(a.Worker, b.Worker) })
	return list, nil
}

// askForProfiles asks every worker.
func (s *Server) askForProfiles(k *desk, kind string, d time.Duration) map[uint64]*profiling {
	asked := map[uint64]*profiling{}
	for worker, conn := range k.machine.Ready() {
		k.requests++
		p := &profiling{worker, conn, make(chan Profile, 1)}
		asked[k.requests], k.profiles[k.requests] = p, p
		s.send(conn, &control.Profile{Coordinator: k.machine.Epoch(), Request: k.requests, Kind: kind, For: d})
	}
	return asked
}

// profiled takes a worker's answer. One that nobody waits for any more, or that is another worker's, is dropped.
func (k *desk) profiled(c ConnID, m *control.Profiled) {
	p := k.profiles[m.Request]
	if p == nil || p.conn != c {
		return
	}
	delete(k.profiles, m.Request)
	r := Profile{Worker: p.worker, Data: m.Data}
	if m.Error != "" {
		r.Err = errors.New(m.Error)
	}
	p.result <- r
}

// abandon answers for a worker whose connection has ended.
func (k *desk) abandon(c ConnID) {
	for id, p := range k.profiles {
		if p.conn == c {
			delete(k.profiles, id)
			p.result <- Profile{Worker: p.worker, Err: errors.New("its connection has ended")}
		}
	}
}

func (k *desk) forgetProfiles(asked map[uint64]*profiling) {
	for id := range asked {
		delete(k.profiles, id)
	}
}
