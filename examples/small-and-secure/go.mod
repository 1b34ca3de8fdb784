module example/small-and-secure

go 1.19
