package main

import (
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"os/user"
	"time"
)

// Everything here is missing from an image that holds the program alone.
func report(w http.ResponseWriter, r *http.Request) {
	if place, err := time.LoadLocation("Europe/Paris"); err != nil {
		fmt.Fprintln(w, "zone:", err)
	} else {
		fmt.Fprintln(w, "zone:", time.Unix(0, 0).In(place))
	}
	if pool, err := x509.SystemCertPool(); err != nil || len(pool.Subjects()) == 0 {
		fmt.Fprintln(w, "certificates: none:", err)
	} else {
		fmt.Fprintln(w, "certificates: some")
	}
	if me, err := user.Current(); err != nil {
		fmt.Fprintln(w, "user:", err)
	} else {
		fmt.Fprintln(w, "user:", me.Username, me.Uid, me.HomeDir)
	}
}

func main() {
	http.HandleFunc("/", report)
	log.Fatal(http.ListenAndServe(":8080", nil))
}
