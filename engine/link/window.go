package link

import "github.com/fullspate/spate/wire"

// window is a channel's credit since it was opened. Both ends keep one by the same rules, so that the receiver can hold the
// sender to it: the receiver's grants are ahead of what the sender has heard of, and what the sender may do by fewer grants
// it may do by more.
//
// A frame goes while used < granted, and so may overrun the grant by itself. Beyond, only the τ goes that had begun when
// the grant was used up: frames are cut anywhere, and without its rest that τ could not be processed, nor its bytes be
// released. The τ with which a frame of that rest ends is not finished in its turn. Else a stream whose every frame ends
// within a τ would never be held up.
type window struct {
	granted uint64    // bytes that may be sent
	used    uint64    // bytes sent, or received
	begun   wire.Time // the τ that may be finished; TimeMax, which no tuple carries: none
}

func newWindow(granted uint64) window { return window{granted: granted, begun: wire.TimeMax} }

// admits says whether a frame may go whose first tuple is at first.
func (w *window) admits(first wire.Time) bool { return w.used < w.granted || first == w.begun }

// take accounts for a frame of n bytes that ends at last.
func (w *window) take(n int, last wire.Time) {
	open := w.used < w.granted
	w.used += uint64(n)
	if open && w.used >= w.granted {
		w.begun = last
	}
}
