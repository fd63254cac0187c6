// One test at a time: they own servers, stop them, and one takes the thread pool away. Those that measure have the
// trait Machine=Quiet: test.sh runs nothing beside them.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
