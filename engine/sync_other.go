//go:build !unix

package engine

func notSyncable(error) bool { return false }
