# What holds the namespaces of a pod.
FROM scratch
COPY pause /pause
ENTRYPOINT ["/pause"]
