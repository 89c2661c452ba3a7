# Stands in for temporalio/admin-tools: the tools of that version that are used here, and its schema.
FROM debian:bookworm-slim
RUN useradd --uid 1000 --user-group --create-home temporal
COPY temporal temporal-sql-tool /usr/local/bin/
COPY schema /etc/temporal/schema
USER temporal
CMD ["sh", "-c", "trap exit INT HUP TERM; sleep infinity & wait"]
