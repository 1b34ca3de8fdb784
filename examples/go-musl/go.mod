module example/go-musl

go 1.19
