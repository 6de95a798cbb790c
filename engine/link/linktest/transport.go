package linktest

import "github.com/fullspate/spate/engine/link"

// Transport is what the suite runs over: loops, and connections between them. Wait and Connect are called by the test's
// goroutine alone.
type Transport interface {
	// Loop makes a loop that calls step after traffic of its connections and after Wake, and again as long as it says so.
	Loop(step func() (again bool)) Loop
	// Connect joins two loops by a fresh connection and gives each handler its end, on its loop. It may return before that.
	// cut breaks the connection: what is under way may be lost, and both handlers are told, sooner or later.
	Connect(a Loop, ha Handler, b Loop, hb Handler) (cut func())
	// Wait returns when all of done are closed. It ends the test if that does not come about.
	Wait(done ...<-chan struct{})
	// Close stops all loops and closes all connections. No handler and no step is called after it.
	Close()
}

// Loop calls the handlers of its connections and its step, one at a time.
type Loop interface {
	// Wake has the step called soon. Any goroutine may call it.
	Wake()
}

// Conn is a connection that its handler can close.
type Conn interface {
	link.Conn
	// Close closes the connection soon; Closed is called with err.
	Close(err error)
}

// Handler is told what happens to a connection, on its loop.
type Handler interface {
	Open(c Conn)
	// Traffic is called when bytes have arrived, and reads them all. An error closes the connection.
	Traffic(c Conn) error
	// Closed is called once, when the connection is lost or closed.
	Closed(c Conn, err error)
}
