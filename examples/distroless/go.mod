module example/distroless

go 1.19
