// A program in Go that people tell to stop: with a handler, without one, or with one that passes the signal on to itself.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	way := os.Args[1]
	told := make(chan os.Signal, 1)
	if way != "without" {
		signal.Notify(told, syscall.SIGTERM)
	}
	os.Stdout.WriteString("ready\n")
	if way == "without" {
		for {
			time.Sleep(time.Hour)
		}
	}
	<-told
	os.Stdout.WriteString("drained\n")
	if way == "again" {
		signal.Reset(syscall.SIGTERM)
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		select {}
	}
}
