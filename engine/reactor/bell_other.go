//go:build !linux

package reactor

import "github.com/panjf2000/gnet/v2"

func openBell(client *gnet.Client, wake func(), _ bool) (bell, error) {
	return openPlainBell(client, wake)
}
