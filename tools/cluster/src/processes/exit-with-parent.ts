// Loaded into every service instance with --import: when the cluster is killed, its instances stop.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
// The channel alone must not keep an instance alive that has closed everything else.
process.channel?.unref()
