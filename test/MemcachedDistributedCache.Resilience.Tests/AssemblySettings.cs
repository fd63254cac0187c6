// One test at a time: they measure, own servers, stop them, and one takes the thread pool away.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
