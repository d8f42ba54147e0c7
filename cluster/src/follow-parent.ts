// Loaded ahead of a service: it stops in order when the cluster that started it is gone, so that a
// killed cluster leaves no instance behind.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
