package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/user"
	"time"
)

// must ends the program with the first thing that is missing.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return value
}

func main() {
	zone := must(time.LoadLocation("Asia/Tokyo"))
	fmt.Println("zone:", time.Unix(0, 0).In(zone))
	fmt.Println("certificates:", len(must(x509.SystemCertPool()).Subjects()) > 0)
	me := must(user.Current())
	fmt.Println("user:", me.Username, me.Uid, me.Gid, me.HomeDir)
	file := must(os.CreateTemp("", "example"))
	fmt.Println("file:", file.Close() == nil && os.Remove(file.Name()) == nil)
}
