package cli

import (
	"errors"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
)

// clusterFlags say which running cluster a command speaks with.
type clusterFlags struct {
	Join   string `default:"${http}" placeholder:"ADDR" group:"Cluster" help:"Where the cluster's coordinator serves HTTP (default: ${http})."`
	Secret string `name:"secret-file" placeholder:"FILE" group:"Cluster" help:"File with the cluster's secret (default: the environment's SPATE_SECRET); who only looks needs none."`
}

// client makes a client that may change things.
func (f *clusterFlags) client() (*cluster.Client, error) {
	secret, err := secretOf(f.Secret)
	if err != nil {
		return nil, usageError{err}
	}
	return newClient(f.Join, secret)
}

// viewer makes a client that looks. It shows the secret if there is one, though it needs none.
func (f *clusterFlags) viewer() (*cluster.Client, error) {
	var secret auth.Secret
	var err error
	if f.Secret != "" {
		secret, err = auth.ReadSecretFile(f.Secret)
	} else {
		secret, _, err = auth.FromEnv()
	}
	if err != nil {
		return nil, usageError{err}
	}
	return newClient(f.Join, secret)
}

func newClient(addr string, secret auth.Secret) (*cluster.Client, error) {
	c, err := cluster.NewClient(cluster.ClientConfig{Addr: addr, Secret: secret})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// asked is the error of a request to a coordinator: one that makes no sense is a fault of the flags.
func asked(err error) error {
	var refused *coordinator.Error
	if errors.As(err, &refused) && refused.Code == coordinator.Invalid {
		return usageError{err}
	}
	return err
}
