package reactor_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/fullspate/spate/engine/reactor"
)

// greeter answers what it reads, and counts in steps.
type greeter struct {
	conn  reactor.Conn
	heard []byte
}

func (g *greeter) Open(c reactor.Conn) { g.conn = c }

func (g *greeter) Traffic(c reactor.Conn) error {
	buf := make([]byte, c.Buffered())
	n, err := c.Read(buf)
	g.heard = append(g.heard, buf[:n]...)
	return err
}

func (g *greeter) Closed(reactor.Conn, error) { g.conn = nil }

// Step answers what has been heard, if anything.
func (g *greeter) Step(time.Duration) (worked bool, until time.Duration) {
	if len(g.heard) == 0 || g.conn == nil {
		return false, reactor.Never
	}
	_, _ = g.conn.Writev([][]byte{[]byte("hello, "), g.heard}) // if it fails, Closed will be told
	g.heard = nil
	return true, reactor.Never
}

func Example() {
	r, err := reactor.Start(reactor.Config{Name: "loop-0"})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Stop()

	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	far, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}

	g := &greeter{}
	r.Do(func() { r.Add(g) })
	if err := r.Enroll(far, g); err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(nc, "river")
	answer := make([]byte, len("hello, river"))
	if _, err := io.ReadFull(nc, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
	// Output: hello, river
}
