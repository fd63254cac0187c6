namespace WebApi.Products;

/// <summary>The products of a new database.</summary>
internal static class ProductSeed
{
    /// <summary>How many of a product were sold: the more the later it stands here.</summary>
    public static int SoldOf(int id) => id * 10;

    /// <summary>Name and price in cents; the ids count from 1.</summary>
    public static readonly (string Name, long PriceCents)[] Products =
    [
        ("Espresso cup", 950),
        ("Coffee grinder", 8900),
        ("Pour-over kettle", 5450),
        ("Milk jug", 1990),
        ("Tea pot", 3250),
        ("Tea strainer", 675),
        ("Bread knife", 2890),
        ("Chef's knife", 7400),
        ("Cutting board", 3499),
        ("Mixing bowl", 1825),
        ("Rolling pin", 1450),
        ("Whisk", 899),
        ("Cast-iron pan", 6200),
        ("Saucepan", 4750),
        ("Stock pot", 5990),
        ("Pepper mill", 2650),
        ("Salt cellar", 1275),
        ("Kitchen scale", 3900),
        ("Oven glove", 1180),
        ("Linen towel", 840),
    ];
}
