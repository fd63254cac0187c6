using System.Text.Json.Serialization;
using WebApi.Cache;
using WebApi.Products;
using WebApi.Quotes;
using WebApi.Reports;
using WebApi.Sessions;
using WebApi.Views;

namespace WebApi;

/// <summary>
/// The JSON of requests, answers and cached products. The strict rules hold for cached products: an entry that some other version of the
/// application wrote in another shape is then a miss, not a product without a name.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Product))]
[JsonSerializable(typeof(PriceChange))]
[JsonSerializable(typeof(Repricing))]
[JsonSerializable(typeof(Repriced))]
[JsonSerializable(typeof(Quote))]
[JsonSerializable(typeof(ViewCount))]
[JsonSerializable(typeof(ViewedProduct[]))]
[JsonSerializable(typeof(VisitCount))]
[JsonSerializable(typeof(NodeReport[]))]
[JsonSerializable(typeof(NodeSample[]))]
[JsonSerializable(typeof(Report))]
internal sealed partial class AppJsonContext : JsonSerializerContext;
