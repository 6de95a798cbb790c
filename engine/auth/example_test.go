package auth_test

import (
	"context"
	"fmt"
	"net"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/wire"
)

func Example() {
	secret := auth.NewSecret()
	cluster := auth.NewCluster()
	listener, err := auth.Listen(context.Background(), "tcp://127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	// The coordinator accepts workers, also those that do not know the cluster yet.
	registered := make(chan string)
	acceptor, err := auth.Serve(listener, auth.Config{
		Secret: secret,
		Hello:  auth.Hello{Cluster: cluster, Incarnation: 1},
		Policy: auth.Policy{Newcomers: true, Purposes: []wire.Purpose{wire.PurposeControl}},
		Handle: func(conn net.Conn, peer auth.Peer) {
			registered <- fmt.Sprintf("%s connection, says %q", peer.Purpose, peer.Note)
			conn.Close()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer acceptor.Close()

	// A worker dials, and learns the cluster from the answer.
	addr := auth.AddressOf(listener.Addr()).String()
	hello := auth.Hello{Incarnation: 2, Purpose: wire.PurposeControl, Note: []byte("two loops")}
	conn, peer, err := auth.Dial(context.Background(), addr, secret, hello)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(<-registered)
	fmt.Println("right cluster:", peer.Cluster == cluster)

	// Somebody with another secret does not get that far.
	_, _, err = auth.Dial(context.Background(), addr, auth.NewSecret(), hello)
	fmt.Println("refused:", err != nil)
	// Output:
	// control connection, says "two loops"
	// right cluster: true
	// refused: true
}
