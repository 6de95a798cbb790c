package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// A coordinator is started and served, and asked whether it is ready: it is not, without workers.
func Example() {
	dir, err := os.MkdirTemp("", "coordinator")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	secret := auth.NewSecret()
	c, err := coordinator.Start(coordinator.Config{StateDir: dir, Secret: secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := api.Serve("127.0.0.1:0", api.Config{Coordinator: c, Secret: secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + s.Addr() + "/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(res.Body)
	fmt.Println(res.Status, err)
	fmt.Print(string(body))
	fmt.Println(errors.Join(res.Body.Close(), s.Close(), c.Close()))
	// Output:
	// 503 Service Unavailable <nil>
	// {"error":{"code":"unavailable","message":"0 workers are there, 0 are expected back"}}
	// <nil>
}
