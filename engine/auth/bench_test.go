package auth

import (
	"io"
	"net"
	"testing"
)

// BenchmarkHandshake opens connections one after the other on each processor: dial, handshake at both ends in this process,
// close.
func BenchmarkHandshake(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		b.Run(network, func(b *testing.B) {
			l := listenOn(b, network)
			addr := AddressOf(l.Addr()).String()
			acceptOn(b, l, func(c *Config) { c.Handle = func(conn net.Conn, _ Peer) { conn.Close() } })
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					conn, _, err := Dial(b.Context(), addr, testSecret, worker)
					if err != nil {
						b.Error(err)
						return
					}
					conn.Close()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}

// BenchmarkKeys is the part of a handshake that cryptography takes at each end.
func BenchmarkKeys(b *testing.B) {
	hello := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if deriveKeys(testSecret, hello, hello).session == [32]byte{} {
			b.Fatal("no key")
		}
	}
}

// BenchmarkGarbage sends garbage on fresh connections until it is thrown out; bare is the same against a listener that
// closes what it accepts.
func BenchmarkGarbage(b *testing.B) {
	b.Run("refused", func(b *testing.B) {
		l := listenOn(b, "tcp")
		a, _ := acceptOn(b, l, nil)
		throwGarbage(b, l.Addr().String())
		if s := a.Stats(); s.Accepted != 0 || s.Refused[BadMagic] == 0 {
			b.Errorf("%+v", s)
		}
	})
	b.Run("bare", func(b *testing.B) {
		l := listenOn(b, "tcp")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		throwGarbage(b, l.Addr().String())
		l.Close()
		<-done
	})
}

func throwGarbage(b *testing.B, addr string) {
	garbage := make([]byte, 64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = conn.Write(garbage) // may come too late already
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refused/s")
}
