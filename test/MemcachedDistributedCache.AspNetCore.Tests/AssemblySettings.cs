// Each class has servers of its own; what runs beside them would only make them slow.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
